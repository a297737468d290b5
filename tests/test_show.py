"""Results as a person reads them in a terminal."""

from dataclasses import replace

from made.choices import full
from triarch.core.findings import Reason
from triarch.show import show


def test_a_choice_tells_why_in_short(capsys):
    channels = [
        Reason("a/nano", "channel", name, f"a/nano uses {name}.", cost, interval)
        for name, cost, interval in (
            ("channel 0", -0.1, (-0.2, -0.05)), ("channel 1", -0.4, (-0.5, -0.3)), ("channel 2", 0.0, (-0.1, 0.1)),
        )
    ]  # fmt: skip
    show(replace(full(), reasons=[*full().reasons, *channels]))
    said = " ".join(capsys.readouterr().out.split())
    assert "· plain/micro uses where the pixels stand." in said
    assert "· gru/micro: far back." in said
    assert "· a/nano uses channel 1." in said
    assert "channel 0" not in said
    assert "channel 2" not in said
    assert "blur of 0.5 pixels" in said
