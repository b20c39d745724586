"""The rows of notifications, mails, webhooks and deliveries: notifications' SQL."""
