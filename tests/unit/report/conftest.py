"""Results that several tests of the report share."""

import pytest
import record_factory as make

from enhance_sweep.report import Results, gather


@pytest.fixture(scope="session")
def paper_results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Every published variant, timed beside the baseline; three seeds of the paper's pick; curves and losses."""
    made = make.paper_records(careful=True)
    made += [make.trained(make.PROPOSED, 0.9233 + 0.001 * seed, 22.5, seed=seed) for seed in (1, 2)]
    return gather(make.write_with_curves(tmp_path_factory.mktemp("runs"), made))
