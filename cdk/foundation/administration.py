"""What people may do by hand: a policy for each duty, attached to whoever has it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.foundation.queues import Queues
from cdk.foundation.rules import acknowledge
from cdk.foundation.schedules import Schedules
from cdk.foundation.secrets import Secret
from cdk.stages.model import Stage

LISTING_QUEUES = iam.PolicyStatement(actions=["sqs:ListQueues"], resources=["*"])
"""Names of queues; SQS knows no resource for it."""


def dead_letter_permissions(dead: list[sqs.Queue], sources: list[sqs.Queue]) -> list[iam.PolicyStatement]:
    """Leave to look through dead letters, take some out, and send them where they came from."""
    return [
        LISTING_QUEUES,
        iam.PolicyStatement(
            actions=["sqs:GetQueueAttributes"], resources=[queue.queue_arn for queue in [*dead, *sources]]
        ),
        iam.PolicyStatement(
            actions=["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"],
            resources=[queue.queue_arn for queue in dead],
        ),
        iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn for queue in sources]),
    ]


class DeadLetterOperatorPolicy(Construct):
    """The managed policy of `imagemarket dlq`: everything the command does, in this stage, and nothing else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        queues: Queues,
        dead_runs: sqs.Queue,
        schedules: Schedules,
        database: Secret,
        stacks: list[Stack],
    ) -> None:
        super().__init__(scope, construct_id)
        dead = [*(dead for _, dead in queues.pairs), dead_runs]
        executions = Stack.of(self).format_arn(
            service="states", resource=f"execution:{stage.prefix}-ingest_image:*", arn_format=None
        )
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=f"{stage.prefix}-dead-letters",
            description="imagemarket: look at dead letters, replay, purge, export and import them",
            statements=[
                *dead_letter_permissions(dead, [source for source, _ in queues.pairs]),
                # an import brings messages back among the dead letters
                iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn for queue in dead]),
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"], resources=[job.arn for _, job in schedules.jobs]
                ),
                iam.PolicyStatement(
                    actions=["events:ListTargetsByRule"], resources=[rule.rule_arn for rule, _ in schedules.jobs]
                ),
                iam.PolicyStatement(
                    actions=["states:DescribeExecution", "states:GetExecutionHistory"], resources=[executions]
                ),
                database.read_permission(),
                iam.PolicyStatement(
                    actions=["cloudformation:DescribeStacks"], resources=[stack.stack_id for stack in stacks]
                ),
            ],
        )
        acknowledge(self.policy, "AwsSolutions-IAM5[Resource::*]", "SQS lists queues without naming a resource.")
        acknowledge(
            self.policy,
            f"AwsSolutions-IAM5[Resource::{executions}]",
            "The executions of one state machine; their names are not known beforehand.",
        )
