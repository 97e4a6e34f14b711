"""The lines that keep what the decisions promise, and for each one a test that fails without it."""

from dataclasses import dataclass

HANDLERS, DOMAIN = "functions/crossfade/handlers", "functions/crossfade/domain"
STAGES = "tests/unit/handlers/test_watching.py"
BACK = "tests/unit/handlers/test_stepping_back.py"
GOING_BACK = "tests/unit/handlers/test_putting_back.py"
ASSESSING = "tests/unit/handlers/test_assessing.py"
ADOPTED = "tests/unit/handlers/test_adopted.py"
SEVERAL = "tests/unit/handlers/test_several_rules.py"
WIRING = "tests/statemachine/test_wiring.py"
TWO = "tests/unit/handlers/test_two_crossfades.py"
FLOOR = "healthy targets"


@dataclass(frozen=True)
class Mutation:
    """A promise (an ADR's number, or `FLOOR`), what breaks it, and the test that finds it broken.

    ``old`` stands exactly once in ``file``, a path below the repository's root; ``new`` takes its place.
    """

    promise: str
    breaks: str
    file: str
    old: str
    new: str
    test: str

    @property
    def id(self) -> str:
        """E.g. ``5-stop-before-promoted``."""
        return f"{self.promise} {self.breaks}".replace(" ", "-")


MUTATIONS = (
    # ---- 3: the rollback reads live state only, and takes the service over --------------------------------
    Mutation(
        promise="3",
        breaks="an execution that lost the service still writes",
        file="functions/crossfade/aws/journal_table.py",
        old='HELD = "holder = :execution"',
        new='HELD = "attribute_exists(holder) OR holder = :execution"',
        test=f"{STAGES}::test_adr_03_a_rollback_that_takes_over_between_look_and_write_stops_the_write",
    ),
    Mutation(
        promise="3",
        breaks="the journal is believed instead of the live rule",
        file=f"{HANDLERS}/restore_weights.py",
        old="mine = shown.among(own, slot=plan.candidate)",
        new="mine = shown",
        test=f"{GOING_BACK}::test_weights_of_somebody_else_are_left_alone",
    ),
    Mutation(
        promise="3",
        breaks="what started the rollback brings the plan",
        file="statemachine/rollback.asl.yaml",
        old='plan: "{% $found.plan %}"\n        deadline: "{% $restore_deadline %}"',
        new='plan: "{% $states.context.Execution.Input.plan %}"\n        deadline: "{% $restore_deadline %}"',
        test=f"{WIRING}::test_adr_03_only_assess_is_told_what_started_the_rollback",
    ),
    # ---- 4: intent before the write -----------------------------------------------------------------------
    Mutation(
        promise="4",
        breaks="no intent",
        file=f"{HANDLERS}/shift_traffic.py",
        old="    journal.live.intend(plan.hold, weights)\n",
        new="",
        test=f"{STAGES}::test_adr_04_a_shift_that_dies_after_its_write_knows_its_own_weights",
    ),
    Mutation(
        promise="4",
        breaks="intent after the write",
        file=f"{HANDLERS}/shift_traffic.py",
        old="    journal.live.intend(plan.hold, weights)\n"
        "    answers = traffic.write(weights, [kept_most(rules) for rules in known])\n",
        new="    answers = traffic.write(weights, [kept_most(rules) for rules in known])\n"
        "    journal.live.intend(plan.hold, weights)\n",
        test=f"{STAGES}::test_adr_04_a_shift_that_dies_after_its_write_knows_its_own_weights",
    ),
    Mutation(
        promise="4",
        breaks="no intent of a rollback that chooses the candidate",
        file=f"{HANDLERS}/restore_weights.py",
        old="        journal.live.intend(plan.hold, wanted)\n",
        new="        pass\n",
        test=f"{GOING_BACK}::test_a_choice_of_the_candidate_that_was_cut_off_is_finished",
    ),
    Mutation(
        promise="4",
        breaks="weights that were changed outside Crossfade are overwritten",
        file=f"{HANDLERS}/shift_traffic.py",
        old="own = state.own(utc_now())",
        new="own = shown.weights",
        test=f"{STAGES}::test_weights_that_somebody_else_set_are_left_alone",
    ),
    # ---- 5: promoted before the stop ----------------------------------------------------------------------
    Mutation(
        promise="5",
        breaks="stop before promoted",
        file=f"{HANDLERS}/retire_stable.py",
        old="    journal.live.promote(plan, utc_now())\n"
        "    if plan.spec.retire.warm_seconds > 0:\n"
        "        return 0\n"
        '    left = Slots(client("ecs"), plan.spec).stop(slot)\n',
        new="    if plan.spec.retire.warm_seconds > 0:\n"
        "        journal.live.promote(plan, utc_now())\n"
        "        return 0\n"
        '    left = Slots(client("ecs"), plan.spec).stop(slot)\n'
        "    journal.live.promote(plan, utc_now())\n",
        test=f"{STAGES}::test_adr_05_promoted_is_written_before_the_old_slot_is_stopped",
    ),
    Mutation(
        promise="5",
        breaks="stop though promoted cannot be written",
        file=f"{HANDLERS}/retire_stable.py",
        old="    journal.live.promote(plan, utc_now())\n"
        "    if plan.spec.retire.warm_seconds > 0:\n"
        "        return 0\n"
        '    left = Slots(client("ecs"), plan.spec).stop(slot)\n',
        new='    left = 0 if plan.spec.retire.warm_seconds else Slots(client("ecs"), plan.spec).stop(slot)\n'
        "    journal.live.promote(plan, utc_now())\n",
        test=f"{STAGES}::test_adr_05_the_old_slot_runs_on_while_promoted_cannot_be_written",
    ),
    Mutation(
        promise="5",
        breaks="a promotion is taken back by weights",
        file=f"{DOMAIN}/rollback/assessment.py",
        old="promoted = history.promoted is not None",
        new="promoted = False",
        test=f"{ASSESSING}::test_a_promoted_deployment_is_only_finished",
    ),
    # ---- 12: repeated until one gets through --------------------------------------------------------------
    Mutation(
        promise="12",
        breaks="a failed rollback is the last one",
        file="template.yaml",
        old="-rollback\n                status: [ABORTED, TIMED_OUT, FAILED]",
        new="-rollback\n                status: [ABORTED, TIMED_OUT]",
        test=f"{WIRING}::test_adr_12_a_rollback_follows_every_end_but_a_success",
    ),
    Mutation(
        promise="12",
        breaks="a stopped deployment is left half-way",
        file="template.yaml",
        old="-deploy\n                status: [ABORTED, TIMED_OUT, FAILED]",
        new="-deploy\n                status: [TIMED_OUT, FAILED]",
        test=f"{WIRING}::test_adr_12_a_rollback_follows_every_end_but_a_success",
    ),
    Mutation(
        promise="12",
        breaks="the wait does not grow",
        file=f"{DOMAIN}/journal.py",
        old="doubled: int = 2 ** min(self.times - 1, 10)",
        new="doubled: int = 1",
        test=f"{ASSESSING}::test_after_failures_in_a_row_a_rollback_waits_before_it_takes_over",
    ),
    # ---- 13: the better side gets the traffic -------------------------------------------------------------
    Mutation(
        promise="13",
        breaks="a rollback goes to a slot that serves nobody",
        file=f"{DOMAIN}/rollback/target.py",
        old="if healthy[plan.candidate] > 0 and (fit or not is_back):",
        new="if False:",
        test=f"{GOING_BACK}::test_adr_13_clients_are_kept_where_somebody_answers",
    ),
    Mutation(
        promise="13",
        breaks="clients get a candidate that was refused before",
        file=f"{DOMAIN}/rollback/target.py",
        old="if healthy[plan.candidate] > 0 and (fit or not is_back):",
        new="if healthy[plan.candidate] > 0:",
        test=f"{GOING_BACK}::test_a_candidate_that_was_refused_before_any_client_met_it_gets_none",
    ),
    Mutation(
        promise="13",
        breaks="a fix is compared with a slot that serves nothing",
        file=f"{DOMAIN}/gate/verdicts.py",
        old="met = serves_nothing(state, settings, watch, now)",
        new="met = None",
        test="tests/unit/domain/gate/test_emergency.py::test_before_it_has_clients_it_is_verified_by_itself",
    ),
    Mutation(
        promise="13",
        breaks="stage by stage while nobody is served",
        file=f"{HANDLERS}/watch_stage.py",
        old="    if verdict.emergency:\n",
        new="    if False:\n",
        test=f"{STAGES}::test_adr_13_where_stable_serves_nothing_the_last_stage_is_next",
    ),
    Mutation(
        promise="13",
        breaks="tasks are waited for while nobody is served",
        file=f"{HANDLERS}/shift_traffic.py",
        old="if short is None or (emergency and capacity.healthy):",
        new="if short is None:",
        test=f"{STAGES}::test_where_stable_serves_nothing_the_tasks_that_there_are_must_do",
    ),
    # ---- 41: of the owner's service little is written -----------------------------------------------------
    Mutation(
        promise="41",
        breaks="the owner's service is set as a slot is",
        file="functions/crossfade/aws/ecs_services.py",
        old="**({} if origin else self._updated(slot, shown)),",
        new="**self._updated(slot, shown),",
        test="tests/unit/aws/test_slots.py::test_of_the_owners_own_service_little_is_set",
    ),
    # ---- 43: the origin takes the place of a slot ---------------------------------------------------------
    Mutation(
        promise="43",
        breaks="the origin keeps its place when it is live no more",
        file=f"{DOMAIN}/planning/placing.py",
        old="    if written or at_home:\n",
        new="    if state.origin or at_home:\n",
        test=f"{ADOPTED}::test_after_the_first_release_the_slots_are_crossfades_own",
    ),
    Mutation(
        promise="43",
        breaks="what is in no slot's place runs on",
        file=f"{HANDLERS}/launch_candidate.py",
        old="    slots.stop_leftover()\n",
        new="",
        test=f"{ADOPTED}::test_a_warm_origin_is_stopped_by_the_next_launch",
    ),
    Mutation(
        promise="43",
        breaks="the owner's tasks without traffic are refused",
        file=f"{DOMAIN}/planning/drift.py",
        old="slot not in {warm, spec.origin}",
        new="slot != warm",
        test="tests/unit/domain/test_drift.py::test_the_owners_tasks_without_traffic_are_no_drift",
    ),
    Mutation(
        promise="43",
        breaks="a first release takes over traffic that is not its owner's",
        file=f"{HANDLERS}/plan_release.py",
        old="    refuse_others_traffic(state, shown, spec)\n",
        new="",
        test="tests/unit/handlers/test_plan_release.py::test_bad_input_fails_before_anything_is_changed",
    ),
    # ---- 45: a step back is a shift, to weight 0 ----------------------------------------------------------
    Mutation(
        promise="45",
        breaks="a step back goes on to the next stage",
        file=f"{HANDLERS}/watch_stage.py",
        old="        return Climb(stage=0)\n",
        new="        return Climb(stage=stage + 1)\n",
        test=f"{BACK}::test_a_verdict_to_step_back_leads_to_weight_0",
    ),
    Mutation(
        promise="45",
        breaks="clients go back to a slot without a target",
        file=f"{HANDLERS}/shift_traffic.py",
        old="    if not healthy[stable]:\n",
        new="    if False:\n",
        test=f"{BACK}::test_adr_13_a_stable_slot_without_a_target_is_no_way_back",
    ),
    Mutation(
        promise="45",
        breaks="a short stable slot is waited for for ever",
        file=f"{HANDLERS}/shift_traffic.py",
        old="    return None if late else short\n",
        new="    return short\n",
        test=f"{BACK}::test_a_stable_slot_that_is_short_is_waited_for_and_not_for_long",
    ),
    Mutation(
        promise="45",
        breaks="a deployment steps back for ever",
        file=f"{DOMAIN}/rollout/step_backs.py",
        old="step_backs < MOST_STEP_BACKS",
        new="step_backs >= 0",
        test=f"{BACK}::test_one_step_back_too_many_is_a_rollback",
    ),
    Mutation(
        promise="45",
        breaks="what clients met before counts at the top again",
        file="functions/crossfade/watching/gate.py",
        old="            self.quiet = DrainProgress()\n",
        new="            pass\n",
        test=f"{BACK}::test_what_clients_met_before_a_step_back_does_not_count_at_the_top_again",
    ),
    Mutation(
        promise="45",
        breaks="the state forgets that it stepped back",
        file=f"{HANDLERS}/watch_stage.py",
        old='if verdict.action in {"advance", "step_back"}:',
        new='if verdict.action == "advance":',
        test=f"{BACK}::test_a_verdict_to_step_back_leads_to_weight_0",
    ),
    # ---- no weight without the healthy targets for it -----------------------------------------------------
    Mutation(
        promise=FLOOR,
        breaks="a weight needs none",
        file=f"{DOMAIN}/traffic/weights.py",
        old="return max(1, math.ceil(desired * weight / 100)) if weight > 0 else 0",
        new="return 0",
        test="tests/unit/domain/test_weights.py::test_floor",
    ),
    Mutation(
        promise=FLOOR,
        breaks="a weight may have one too few",
        file=f"{DOMAIN}/traffic/weights.py",
        old="return max(1, math.ceil(desired * weight / 100)) if weight > 0 else 0",
        new="return max(1, math.floor(desired * weight / 100)) if weight > 0 else 0",
        test="tests/unit/domain/test_weights.py::test_floor",
    ),
    Mutation(
        promise=FLOOR,
        breaks="a shift asks for none",
        file=f"{HANDLERS}/shift_traffic.py",
        old="if short is None or (emergency and capacity.healthy):",
        new="if True:",
        test=f"{STAGES}::test_too_few_targets_are_waited_for_and_then_given_up",
    ),
    Mutation(
        promise=FLOOR,
        breaks="a stage ends without those of the next weight",
        file=f"{HANDLERS}/watch_stage.py",
        old='if verdict.action == "advance" and following and following.stage < len(plan.stages):',
        new="if False:",
        test=f"{STAGES}::test_a_stage_holds_until_the_candidate_can_carry_the_next_weight",
    ),
    Mutation(
        promise=FLOOR,
        breaks="the old slot is stopped before the new one has all",
        file=f"{HANDLERS}/retire_stable.py",
        old='if plan.stable and not promoted and verdict.action in {"advance", "hold"}:',
        new="if False:",
        test=f"{STAGES}::test_blue_stays_until_the_candidate_has_as_many_targets",
    ),
    # ---- 51: each port of a service is prepared, reached, counted and handed back -------------------------
    Mutation(
        promise="51",
        breaks="the first write that fails leaves the other rules out",
        file="functions/crossfade/aws/listener_rules.py",
        old="                errors.append(error)\n",
        new="                raise error\n",
        test=f"{SEVERAL}::test_a_rollback_that_cannot_write_one_rule_puts_the_other_one_back",
    ),
    Mutation(
        promise="51",
        breaks="going back begins anywhere",
        file=f"{DOMAIN}/traffic/shown.py",
        old="        found.sort(key=lambda pair: -pair[1].of(slot) if pair[1] else 0)\n",
        new="",
        test=f"{SEVERAL}::test_half_done_is_mended_by_a_rollback",
    ),
    Mutation(
        promise="51",
        breaks="a slot is stopped that the second rule leads to",
        file=f"{DOMAIN}/traffic/shown.py",
        old="        for one in self.routes:\n            refuse_stop(",
        new="        for one in self.routes[:1]:\n            refuse_stop(",
        test=f"{SEVERAL}::test_no_slot_is_stopped_that_one_rule_leads_to",
    ),
    Mutation(
        promise="51",
        breaks="a slot is reached by its first port alone",
        file="functions/crossfade/aws/ecs_services.py",
        old="                for target, groups in spec.ports\n",
        new="                for target, groups in spec.ports[:1]\n",
        test="tests/unit/aws/test_slots.py::test_a_slot_is_reached_by_all_ports",
    ),
    Mutation(
        promise="51",
        breaks="users of further ports do not count",
        file="functions/crossfade/aws/target_metrics.py",
        old="for port in range(len(self._spec.ports)):",
        new="for port in range(1):",
        test="tests/unit/aws/test_outcomes_and_alarms.py::test_all_ports_of_a_slot_count_together",
    ),
    Mutation(
        promise="51",
        breaks="a port without a rule is taken over",
        file=f"{DOMAIN}/traffic/place.py",
        old="    if unreached:\n",
        new="    if False:\n",
        test="tests/unit/domain/test_placing.py::test_a_port_that_no_rule_leads_to",
    ),
    Mutation(
        promise="51",
        breaks="all rules are handed back to one port",
        file=f"{DOMAIN}/preparation.py",
        old="[*known, *alone, *theirs]",
        new="[*patterns.values()]",
        test="tests/unit/aws/test_preparation.py::test_each_rule_is_handed_back_to_its_own_port",
    ),
    # ---- 55: whose a slot is, its tag says ----------------------------------------------------------------
    Mutation(
        promise="55",
        breaks="another Crossfade's slot is taken for an own one",
        file="functions/crossfade/aws/ecs_services.py",
        old="        return tags[SPEC_TAG] == parameter\n",
        new="        return True\n",
        test=f"{TWO}::test_a_slot_of_another_crossfade_is_refused_by_name",
    ),
    Mutation(
        promise="55",
        breaks="a rollback stops another Crossfade's slot",
        file="functions/crossfade/aws/ecs_services.py",
        old="if slot != self._spec.origin and _of_another(self._find(slot), self._spec.parameter):",
        new="if False:",
        test=f"{TWO}::test_a_slot_that_another_crossfade_has_made_since_the_plan_is_left_alone",
    ),
    Mutation(
        promise="55",
        breaks="a rollback suspends the scaling of another Crossfade's slot",
        file=f"{HANDLERS}/launch_candidate.py",
        old='        journal.history.milestone(plan.hold, "stopped", plan.candidate)\n',
        new="",
        test=f"{TWO}::test_a_slot_that_another_crossfade_has_made_since_the_plan_is_left_alone",
    ),
    Mutation(
        promise="55",
        breaks="two services that log to one group have the same streams",
        file=f"{DOMAIN}/planning/task_definition.py",
        old="{_stream(release)}-{mark(spec.parameter)}",
        new="{_stream(release)}",
        test="tests/unit/domain/test_pattern_definition.py"
        "::test_two_services_that_log_to_one_group_have_streams_of_their_own",
    ),
)
