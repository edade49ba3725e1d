"""Each mend has a patch that takes it out again, and a test that then turns red. All of them: `make planted`."""

from __future__ import annotations

import pytest
from planted.plant import RED, Planted, apply, chosen_of, copy_of_tree, planted, tried

EVERY = planted()
#: the ordinary run plants so many
SAMPLE = 3


def test_each_patch_changes_one_line_and_can_be_applied(tmp_path):
    copy_of_tree(str(tmp_path))
    for one in EVERY:
        gone, new = one.changed_lines
        assert max(gone, new) <= 2, one.name
        assert apply(one, tmp_path / "tree", tries=True) == "", one.name


@pytest.mark.parametrize("one", chosen_of(EVERY, (), SAMPLE), ids=lambda one: one.name)
def test_the_test_named_for_a_mend_turns_red_without_it(one: Planted) -> None:
    _, verdict, said, _ = tried(one)

    assert verdict == RED, said
