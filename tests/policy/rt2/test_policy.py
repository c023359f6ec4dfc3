"""RT-2's policy: valid whatever is asked, the same with and without a cache, and a plan that is kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtbench.core.action import MODE, Mode, convention
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.policy.rt2.action_layout import layout
from rtbench.policy.rt2.checkpoint import save
from rtbench.policy.rt2.decoding import Plan
from rtbench.policy.rt2.network import Network
from rtbench.policy.rt2.policy import Planning, RT2Policy, SmallBody, _unknown_names, from_weights
from rtbench.testing import check_policy
from tests.helpers.rt2_models import make_model

RTBENCH = convention("rtbench")
PROMPTS = (
    "",
    " ",
    "pick coke can",
    "Plan: Action: 255 255 255 <loc0001><image><eos> [SEP] [PAD]",
    "拿起可乐罐 и положи 🍎 \U00012000",
    "\udcff broken \x00 bytes",
    "move the apple near the sponge " * 1000,
    "x" * 20_000,
)


def seen(value=0, number=0):
    image = np.random.default_rng(number).integers(0, 256, (256, 320, 3), np.uint8)
    return Observation(
        {"head": image if not value else np.full_like(image, value)}, "", np.zeros(15, np.float32), 0
    )


def policy_of(model, *, plan=True, steps=8, temperature=0.0, cache=True):
    return RT2Policy(SmallBody(model, cache=cache), Planning(plan, steps), temperature=temperature)


def acted(policy, prompt="pick coke can", steps=4, seed=0):
    policy.reset(0, prompt, seed)
    return np.stack([policy.act([seen(number=k)], [0])[0] for k in range(steps)])


@pytest.mark.parametrize("kind", ["full", "arm"])
@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("temperature", [0.0, 50.0])
def test_every_action_is_valid_under_every_prompt(kind, scale, temperature):
    policy = policy_of(make_model(3, kind=kind, scale=scale), temperature=temperature)
    for prompt in PROMPTS:
        for row in acted(policy, prompt, 2):
            RTBENCH.check_tokens(row)
        plan = policy.stated_plan(0)
        assert all(0 <= place.x <= 1 and 0 <= place.y <= 1 for place in plan.places)
        assert len(plan.places) == 2


def test_weights_that_are_no_numbers_still_give_valid_actions():
    model = make_model(1)
    with torch.no_grad():
        model.network.head.weight.fill_(torch.nan)
    RTBENCH.check_tokens(acted(policy_of(model), steps=1)[0])


def test_numbers_of_the_motor_that_are_none_still_give_valid_actions():
    model = make_model(1)
    with torch.no_grad():
        model.network.motor.transformer.output.weight.fill_(torch.nan)
    RTBENCH.check_tokens(acted(policy_of(model), steps=1)[0])


@pytest.mark.parametrize(("threshold", "ends"), [(0.0, True), (0.9, True), (0.95, False)])
def test_an_episode_is_ended_from_a_probability_on(threshold, ends):
    model = make_model(1)
    output = model.network.motor.transformer.output
    with torch.no_grad():  # all modes alike but terminate, whose probability is 0.93
        output.weight.zero_()
        output.bias.zero_()
        output.bias[RTBENCH.modes.index(Mode.TERMINATE)] = np.log(2 * 0.93 / 0.07)
    policy = RT2Policy(SmallBody(model), Planning(), terminate_threshold=threshold)
    modes = acted(policy, steps=2)[:, RTBENCH.order.index(MODE)]
    assert (modes == RTBENCH.modes.index(Mode.TERMINATE)).all() == ends


def test_a_kept_plan_needs_no_look_by_the_decoder(model, monkeypatch):
    policy = policy_of(model, steps=3)
    looks = []
    look = Network.look
    monkeypatch.setattr(Network, "look", lambda self, images: looks.append(1) or look(self, images))
    policy.reset(0, "pick coke can", 0)
    for _ in range(6):
        policy.act([seen()], [0])
    assert len(looks) == 2, "steps 0 and 3"


@pytest.mark.parametrize("kind", ["full", "arm"])
def test_logits_are_in_the_order_of_the_layout(kind):
    order = layout(kind)
    logits = torch.randn(4, 11, 256, generator=torch.Generator().manual_seed(1))
    found = order.of_logits(logits)
    assert found.shape == (4, order.length, 256)
    for place, slot in enumerate(order.slots):
        if place != order.mode:
            assert torch.equal(found[:, place], logits[:, slot])
    assert torch.equal(found[:, order.mode, : len(order.modes)], logits[:, 10, list(order.modes)])
    assert (found[:, order.mode, len(order.modes) :] == -torch.inf).all()


def test_the_arm_only_layout_moves_no_base():
    rows = acted(policy_of(make_model(5, kind="arm"), temperature=20.0), steps=20)
    assert (rows[:, 7:10] == 128).all()
    assert set(rows[:, 10]) <= {0, 2}, "arm or terminate"
    assert len({tuple(row[:7]) for row in rows}) > 1


@pytest.mark.parametrize("plan", [True, False])
def test_cached_equals_uncached(model, plan):
    cached, plain = (policy_of(model, plan=plan, steps=3, cache=cache) for cache in (True, False))
    for prompt in PROMPTS[:4]:
        assert (acted(cached, prompt, 7) == acted(plain, prompt, 7)).all()
        assert cached.stated_plan(0) == plain.stated_plan(0)


def test_logits_with_and_without_a_cache_agree(model):
    """Equal argmax of random weights may hide a fault: the logits themselves are compared."""
    pair = [SmallBody(model, cache=cache) for cache in (True, False)]
    ids = torch.arange(len(model.vocabulary))
    readers = [body.look(body.begin("pick the coke can"), seen(number=4).images["head"]) for body in pair]
    for tokens in ([257], [300, 301, 302], [7], [9]):
        with torch.inference_mode():
            for reader in readers:
                reader.read(tokens)
            one, other = (reader.logits(ids) for reader in readers)
        assert torch.allclose(one, other, atol=1e-5)


def test_sampling_goes_by_the_seed(model):
    policy = policy_of(model, temperature=5.0)
    first = acted(policy, seed=1)
    assert (first == acted(policy, seed=1)).all()
    assert (first != acted(policy, seed=2)).any()


def test_a_plan_is_kept_and_renewed_after_its_steps_or_a_sub_goal(model):
    policy = policy_of(model, steps=3)
    policy.reset(0, "pick coke can", 0)
    stated = []
    for _ in range(7):  # of one picture, lest the untrained hand opens or closes
        policy.act([seen()], [0])
        stated.append(policy.stated_plan(0).step)
    assert stated == [0, 0, 0, 3, 3, 3, 6]
    slot = policy._slots[0]
    slot.left, slot.grip = 2, (slot.grip[0], not slot.grip[1])  # as if the hand had been the other way
    policy.act([seen()], [0])
    policy.act([seen()], [0])
    assert policy.stated_plan(0).step == 8, "the hand closed or opened in step 7"


def test_a_plan_can_be_kept_for_a_whole_episode(model):
    policy = policy_of(model, steps=0)
    policy.reset(0, "pick coke can", 0)
    for number in range(30):  # of many pictures, so that the untrained hand opens and closes
        policy.act([seen(number=number)], [0])
        assert policy.stated_plan(0).step == 0
    policy.reset(0, "pick coke can", 0)
    policy.act([seen()], [0])
    assert policy.stated_plan(0).step == 0


def test_without_plans_none_is_stated(model):
    policy = policy_of(model, plan=False)
    acted(policy)
    assert policy.stated_plan(0) is None


def test_actions_depend_on_the_plan():
    model = make_model(2, scale=3.0)
    with torch.no_grad():  # FiLM is the identity at first
        for weight in model.network.motor.film.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(1))
    with_plan, without = (acted(policy_of(model, plan=plan)) for plan in (True, False))
    assert (with_plan != without).any()


def test_rt1_is_told_places_and_no_names_that_it_does_not_know(monkeypatch):
    model = make_model(2)
    names = (("apple", "apple"), ("sponge", "block"), ("coke can", "can"), ("top drawer", "drawer"))
    model = replace(model, names=names, origin=replace(model.origin, trained_on={"objects": ["coke_can"]}))
    body = SmallBody(model, grounding=False)
    told = []
    act = Network.act

    def listen(self, images, plans, places=None):
        told.append((plans, places))
        return act(self, images, plans, places)

    monkeypatch.setattr(Network, "act", listen)
    said = []
    vectors = body._vectors
    body._vectors = lambda texts: said.extend(texts) or vectors(texts)
    words = tuple(model.vocabulary.encode("move apple near coke can"))
    prompt = body.begin("anything")
    plan = Plan(words, (10, 20, 30, 40))
    body.look(prompt, seen().images["head"]).act(plan)
    assert said == ["move thing near coke can"]
    expected = torch.tensor([[[20.5, 10.5], [40.5, 30.5]]]) / 256
    torch.testing.assert_close(told[0][1], expected)
    body.look(prompt, seen().images["head"]).act(None)
    assert said[1:] == ["anything"]
    assert told[1][1] is None
    alone = SmallBody(model, grounding=False, pointing=False)
    alone._vectors = body._vectors
    alone.look(prompt, seen().images["head"]).act(plan)
    assert said[2:] == ["move apple near coke can"]
    assert told[2][1] is None


def test_where_what_rt1_knows_is_not_said_no_name_is_hidden():
    model = make_model(2)
    assert _unknown_names(replace(model, names=(("apple", "apple"),))) == []


def test_from_a_file_it_keeps_the_contract_of_policies(tmp_path, model):
    save(tmp_path / "w.safetensors", model)
    check_policy(from_weights(tmp_path / "w.safetensors"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"plan_steps": -1}, "plan_steps is -1"),
        ({"temperature": -1.0}, "temperature"),
        ({"terminate_threshold": 1.5}, "terminate_threshold"),
        ({"device": "moon"}, "moon"),
    ],
)
def test_arguments_that_cannot_be(tmp_path, model, arguments, message):
    save(tmp_path / "w.safetensors", model)
    with pytest.raises(PolicyError, match=message):
        from_weights(tmp_path / "w.safetensors", **arguments)


def test_weights_of_another_encoder_are_refused(tmp_path, model):
    other = replace(model, origin=replace(model.origin, encoder_sha256="0" * 64))
    save(tmp_path / "w.safetensors", other)
    with pytest.raises(PolicyError, match="language encoder"):
        from_weights(tmp_path / "w.safetensors")
    with pytest.raises(PolicyError, match="rtbench train rt2"):
        from_weights(tmp_path / "none.safetensors")
