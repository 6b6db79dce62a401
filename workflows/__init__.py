"""What happens, in which order, and how long each wait may last. Deterministic; the sandbox is on."""

from workflows.background_load import BackgroundLoad
from workflows.capture import Capture
from workflows.check_computer import CheckComputer
from workflows.copy_image import CopyImage
from workflows.copy_removal import CopyRemoval
from workflows.copy_verification import CopyVerification
from workflows.dismissal import Dismissal
from workflows.inspection import Inspection
from workflows.power import SwitchPower
from workflows.reclaim import Reclaim
from workflows.reconcile import Reconcile
from workflows.removal import Removal
from workflows.reservation import Reservation
from workflows.retention import Forgetting, Retention

WORKFLOWS = (
    Reservation,
    BackgroundLoad,
    Reclaim,
    Removal,
    Reconcile,
    Dismissal,
    SwitchPower,
    CheckComputer,
    Inspection,
    Capture,
    CopyImage,
    CopyRemoval,
    CopyVerification,
    Retention,
    Forgetting,
)
"""All that a worker registers."""
