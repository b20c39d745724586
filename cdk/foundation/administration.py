"""What people may do by hand: a policy for each duty, attached to whoever has it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.foundation.market import Market
from cdk.foundation.rules import acknowledge
from imagemarket.platform.roles import DatabaseRole

LISTING_QUEUES = iam.PolicyStatement(actions=["sqs:ListQueues"], resources=["*"])
"""Names of queues; SQS knows no resource for it."""


def dead_letter_permissions(dead: list[sqs.Queue], sources: list[sqs.Queue]) -> list[iam.PolicyStatement]:
    """Look through dead letters, take some out, and send them where they came from."""
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
        market: Market,
    ) -> None:
        """Of the queues and schedules that there are by now; its own stack tells the command a stage's settings."""
        super().__init__(scope, construct_id)
        queues = market.state.queues
        dead = [*queues.dead.values(), market.state.dead_runs.queue]
        executions = market.executions.arn
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=f"{market.stage.prefix}-dead-letters",
            description="imagemarket: look at dead letters, replay, purge, export and import them",
            statements=[
                *dead_letter_permissions(dead, [each.queue for each in queues.all.values()]),
                # an import brings messages back among the dead letters
                iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn for queue in dead]),
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"],
                    resources=[market.function_arn(job.name) for _, job in market.schedules],
                ),
                iam.PolicyStatement(actions=["events:ListTargetsByRule"], resources=[*market.rule_arns()]),
                iam.PolicyStatement(
                    actions=["states:DescribeExecution", "states:GetExecutionHistory"], resources=[executions]
                ),
                market.secrets.roles[DatabaseRole.OPERATOR].read_permission(),
                iam.PolicyStatement(
                    actions=["cloudformation:DescribeStacks"],
                    resources=[market.state.stack_id, Stack.of(self).stack_id],
                ),
            ],
        )
        acknowledge(self.policy, "AwsSolutions-IAM5[Resource::*]", "SQS lists queues without naming a resource.")
        acknowledge(
            self.policy,
            f"AwsSolutions-IAM5[Resource::{executions}]",
            "The executions of one state machine; their names are not known beforehand.",
        )
