"""What the provider said of accounts, as programs see it."""

from collections.abc import Sequence

from accounts.provider.checking import Checked
from accounts.provider.usage import Verdict


def as_data(checked: Checked) -> dict[str, object]:
    account, finding = checked.account, checked.finding
    return {
        "label": account.label,
        "account_id": account.account_id,
        "user_id": account.user_id,
        "verdict": str(finding.verdict),
        "state": str(checked.told.state),
        "at_limit": finding.at_limit,
        "detail": finding.detail,
    }


def exit_code(checked: Sequence[Checked]) -> int:
    """0: all can be used, 1: some cannot, 3: none can."""
    usable = sum(c.finding.verdict is Verdict.USABLE for c in checked)
    return 0 if usable == len(checked) else 1 if usable else 3
