import torch

from videomdm.text.quantised import GROUP, pack, restored, to_4_bits, to_8_bits, unpack


def matrix(rows=6, columns=2 * GROUP):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, rows)[:, None]


def test_8_bits_err_by_half_a_step_of_the_row():
    weights = matrix()
    stored = to_8_bits(weights)
    assert stored["int8"].dtype == torch.int8 and stored["int8"].shape == weights.shape
    step = weights.abs().amax(1, keepdim=True) / 127
    assert ((restored(stored) - weights).abs() <= 0.6 * step).all()  # half, and what float16 takes from the step


def test_4_bits_err_by_half_a_step_of_the_group():
    weights = matrix()
    stored = to_4_bits(weights)
    assert stored["int4"].dtype == torch.uint8 and stored["int4"].shape == (6, GROUP)
    groups = weights.unflatten(1, (2, GROUP))
    step = groups.abs().amax(2, keepdim=True) / 7
    assert ((restored(stored).unflatten(1, (2, GROUP)) - groups).abs() <= 0.51 * step).all()


def test_4_bits_by_hand():
    row = torch.zeros(1, GROUP)
    row[0, :3] = torch.tensor([7.0, -7.0, 2.0])
    stored = to_4_bits(row)
    assert stored["step"].item() == 1 and stored["int4"][0, :2].tolist() == [(-7 + 8) * 16 + 7 + 8, 8 * 16 + 2 + 8]
    assert torch.equal(restored(stored), row)


def test_a_row_of_zeros_stays_zero():
    assert not restored(to_8_bits(torch.zeros(1, GROUP))).any() and not restored(to_4_bits(torch.zeros(1, GROUP))).any()


def test_a_state_dict_comes_back():
    tensors = {"table.weight": matrix(), "layer.weight": matrix(4), "layer.bias": torch.arange(3.0)}
    packed = pack(tensors, four_bits="table.weight")
    assert {name.partition(":")[2] for name in packed} == {"int4", "int8", "step", ""} and len(packed) == 5
    back = unpack(packed)
    assert set(back) == set(tensors) and torch.equal(back["layer.bias"], tensors["layer.bias"])
    assert torch.equal(back["table.weight"], restored(to_4_bits(tensors["table.weight"])))
    assert torch.equal(back["layer.weight"], restored(to_8_bits(tensors["layer.weight"])))
