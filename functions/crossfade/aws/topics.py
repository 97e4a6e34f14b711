"""The topics that people subscribe to."""

from typing import Any

from crossfade.domain.messages import Message


class Topics:
    """Publishes through a boto3 ``sns`` client: for mail to one topic, for chat channels to another."""

    def __init__(self, sns: Any, *, mail: str, chat: str) -> None:
        self._sns, self._mail, self._chat = sns, mail, chat

    def publish(self, message: Message) -> None:
        """Send a message to both. Where the second call fails, a repetition sends the first one again."""
        self._sns.publish(TopicArn=self._mail, Subject=message.subject, Message=message.text)
        self._sns.publish(TopicArn=self._chat, Message=message.chat)
