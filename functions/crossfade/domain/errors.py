"""The names by which a deployment fails: the vocabulary of the state machines' ``ErrorEquals``.

A Lambda function's exception reaches Step Functions under its class name, so these names are public: a
person on call reads them in the console and looks them up in ``docs/operations.md``. Each message says
what was found and what to do next.
"""


class CrossfadeError(Exception):
    """Base of every failure that Crossfade names."""


# ---- refused before anything was changed ----------------------------------------------------------------


class InvalidInput(CrossfadeError):
    """The execution's input is not one of the accepted forms: correct it and start again."""


class UnknownService(CrossfadeError):
    """No service spec of that name exists: deploy the service's stack, or correct the name."""


class InvalidServiceSpec(CrossfadeError):
    """The service spec in SSM is malformed: correct the named field in the service's stack."""


class AmbiguousRepository(CrossfadeError):
    """Several services are built from the pushed repository: start one deployment for each by hand."""


class ImageTagNotFound(CrossfadeError):
    """The repository has no image of that tag: push it, or correct the tag."""


class ImageNotInRepository(CrossfadeError):
    """The digest is not in the service's repository: push it there, or correct the digest."""


class ReleasedBefore(CrossfadeError):
    """A tag came to an image that was a release before: to go back to it, start its deployment by hand."""


class NotAsItWas(CrossfadeError):
    """An older release cannot be deployed with the configuration that it had: the cause says what is gone."""


class PatternUnusable(CrossfadeError):
    """The owner's ECS service, or its task definition, cannot be the pattern of the slots: see why."""


class NotPrepared(CrossfadeError):
    """What Crossfade makes beside the owner's load balancer is not there: adopt the service first."""


class NothingToLeave(CrossfadeError):
    """The owner's ECS service is live already: there is nothing to hand back."""


class RuleCovers(CrossfadeError):
    """The production rule would take another listener rule's requests, or get none itself: see which one."""


class PriorityTaken(CrossfadeError):
    """Another rule of the listener has the production rule's priority: choose another one in the spec."""


class ServiceMoved(CrossfadeError):
    """The spec of a live service names another place for it: change that back, or move it as it says."""


class StickyTraffic(CrossfadeError):
    """Sticky sessions override weights: turn stickiness off for the service's groups and rule."""


class TrafficSplit(CrossfadeError):
    """No slot has all the traffic, so none is stable: give one of them all of it first."""


class SlotDrift(CrossfadeError):
    """A slot is not as Crossfade left it: put its tasks or targets right first."""


class ScalingTooNarrow(CrossfadeError):
    """The live slot has more tasks than a slot's scalable target allows: raise its MaxCapacity first."""


class ResourceGone(CrossfadeError):
    """A listener, target group, cluster or repository of the spec does not exist: the cause says which."""


class ServiceBusy(CrossfadeError):
    """Another deployment holds the service: wait until it ends, then start again."""


# ---- found while deploying: the deployment rolls back -----------------------------------------------------


class ForeignChange(CrossfadeError):
    """The live rule is not what Crossfade last wrote: find out who changed it, then deploy again."""


class ServiceLost(CrossfadeError):
    """This deployment no longer holds the service, so it changes nothing more."""


class Superseded(CrossfadeError):
    """A newer release waits, and by the spec this deployment makes room for it: there is nothing to do."""


class ProbeCannotStart(CrossfadeError):
    """The probe task stopped, or wrote nothing in time: look at its stopped reason and its image."""


class CandidateCannotStart(CrossfadeError):
    """The candidate's tasks stop as they start: ECS's own reason is in the message."""


class CandidateReplaced(CrossfadeError):
    """The candidate's ECS service was deleted or changed outside Crossfade: find out by whom."""


class CandidateNotHealthy(CrossfadeError):
    """The candidate's targets did not become healthy in time: look at its health check and its log."""


class TargetsBelowFloor(CrossfadeError):
    """A slot has too few healthy targets for its share of the traffic: look at its tasks."""


class CandidateWorse(CrossfadeError):
    """The candidate answered badly: the reason counts what the probe or users met."""


class AlarmRaised(CrossfadeError):
    """A CloudWatch alarm that the spec names went to ALARM: look at what it watches."""


class EvidenceMissing(CrossfadeError):
    """A deadline came without enough evidence to advance: the reason says what was missing."""


class OldVersionStillSeen(CrossfadeError):
    """Long after the last shift clients did not get the new version only: the reason says what they got."""


class SlotHasTraffic(CrossfadeError):
    """A slot that was to be stopped still has weight: its tasks are left running."""


class LiveServesNothing(CrossfadeError):
    """A promoted release has no healthy task left, so the warm version gets the traffic: read its log."""


class ReportNotWritten(CrossfadeError):
    """The release was promoted, but its certificate could not be written: draw it up by hand."""


class AwsRefused(CrossfadeError):
    """AWS refused a call for good: the message has AWS's words, and what to do about its code."""


class RollbackFailed(CrossfadeError):
    """The rollback itself failed: read its execution, put it right, and start the rollback again."""


class HeldTooLong(CrossfadeError):
    """A service is held for longer than its deployment's plan allows: read what holds it."""


# ---- retried by the state machine -------------------------------------------------------------------------


class AwsUnavailable(CrossfadeError):
    """AWS throttled a call or did not answer: retried by the state machine with backoff."""


class NotYetVisible(CrossfadeError):
    """AWS still shows what was there before Crossfade's last change: retried until it shows the change."""


class ServiceChanged(CrossfadeError):
    """The service was taken or freed after the plan was made: the state machine makes a new plan."""


# ---- rollback ---------------------------------------------------------------------------------------------


class PlanOutdated(CrossfadeError):
    """An earlier version of Crossfade has left a plan that this one cannot read: install that one again."""


class NothingToRollBack(CrossfadeError):
    """No deployment holds the service and no old version is warm, so there is nothing to go back to."""


# ---- when a service leaves, or its stack is deleted --------------------------------------------------------


class StillLive(CrossfadeError):
    """Clients are still sent to what Crossfade made for the service: hand the service back first."""


class DeployedUnknown(CrossfadeError):
    """Neither the journal nor a spec says where the service was deployed: restore its spec."""


class NotRemoved(CrossfadeError):
    """Crossfade could not remove everything that it made: the reason names the rest, and why it stays."""
