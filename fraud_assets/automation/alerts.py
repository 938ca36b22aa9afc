"""Telling people: a message of a few words and a link, as JSON that Slack and what imitates it take."""

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LOG = logging.getLogger("fraud_assets.alerts")
ANSWER_SECONDS = 10.0
PAUSES_SECONDS = (1.0, 4.0)
"""Between the attempts to post: an address that does not answer must not hold up the daemon for long."""
MOST_CHARACTERS = 2_900
"""Slack refuses a block of more than 3,000."""


@dataclass(frozen=True)
class Alert:
    """What happened, in a line; the details, a line each; and where to look."""

    title: str
    details: Sequence[str] = ()
    link: str | None = None

    def text(self) -> str:
        """As plain text, for logs."""
        return "\n".join([self.title, *self.details, *([self.link] if self.link else [])])

    def as_slack(self) -> Mapping[str, Any]:
        """As the JSON of a Slack message: `text` for notifications, `blocks` for what is shown."""
        title = _escaped(self.title)
        headline = f"*<{self.link}|{title}>*" if self.link else f"*{title}*"
        shown = "\n".join([headline, *map(_escaped, self.details)])
        return {
            "text": title,
            "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": shown[:MOST_CHARACTERS]}}],
        }


def tell(alert: Alert, webhook: str | None) -> None:
    """Write the alert to the log, and post it where there is a webhook. Whoever fails to hear it stops nobody."""
    LOG.error(alert.text())
    if webhook is not None:
        problem = _posted(webhook, json.dumps(alert.as_slack()).encode())
        if problem is not None:
            LOG.error("The alert could not be posted to the webhook (%s); see alerts.webhook.", problem)


def _posted(webhook: str, body: bytes) -> str | None:
    """Post it, again after a pause where that may help. Returns what is wrong, without the address: it is a secret."""
    problem = None
    for pause in (*PAUSES_SECONDS, None):
        problem, may_pass = _attempt(webhook, body)
        if not may_pass or pause is None:
            break
        time.sleep(pause)
    return problem


def _attempt(webhook: str, body: bytes) -> tuple[str | None, bool]:
    """What was wrong, and whether another attempt may pass."""
    request = urllib.request.Request(  # noqa: S310  the settings allow http and https only
        webhook, data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):  # noqa: S310
            return None, False
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}", error.code >= 500
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__, True


def _escaped(text: str) -> str:
    """Slack's three characters; all else is shown as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
