"""What stands twice, because packages that may not import each other need it."""

from fairdarts.export import card
from results.report import dataset_card


def test_cards_of_networks_and_of_data_sets_cite_the_paper_alike() -> None:
    assert card.CITATION == dataset_card.CITATION
