"""Settings know names, the search has classes: the two lists are the same."""

from fairdarts.cures import PERTURBATIONS, STOPPING_RULES
from fairdarts.search.stopping import RULES
from fairdarts.supernet.perturbation import PERTURBATION_CLASSES


def test_every_name_of_the_settings_has_its_class_and_the_other_way_round() -> None:
    assert PERTURBATIONS.keys() == PERTURBATION_CLASSES.keys()
    assert STOPPING_RULES.keys() == RULES.keys()
