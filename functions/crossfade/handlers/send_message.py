"""SendMessage: an event of a deployment, in words for people, to the topics that they subscribe to.

Not a state of the workflow: an EventBridge rule calls it. The rule's own input transformer cannot do it: a
reason has quotes and line breaks, and values that are filled into a text are not escaped (ADR 47).
"""

import os

from crossfade.aws.clients import client
from crossfade.aws.topics import Topics
from crossfade.domain.messages import Notice, message
from crossfade.step import step


@step
def handler(detail: Notice) -> None:
    """Publish an event's message. EventBridge delivers at least once, so that a message may come twice."""
    topics = Topics(client("sns"), mail=os.environ["MESSAGES_TOPIC"], chat=os.environ["CHAT_TOPIC"])
    topics.publish(message(detail))
