"""Who is there, who talks, what waits: subscriptions to the states of this switch's users (RFC 6665)."""

from .dialogs import Dialogs
from .mailboxes import VOICE, Mailboxes
from .registrations import Registrations
from .service import Presence
from .sharing import Sharing
from .status import Statuses

__all__ = ["VOICE", "Dialogs", "Mailboxes", "Presence", "Registrations", "Sharing", "Statuses"]
