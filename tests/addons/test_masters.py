"""What `serve` starts is mitmproxy's own, with the index of hooks."""

from mitmproxy.options import Options

from addons import masters
from addons.attempts.patches.hook_index import IndexedAddonManager


async def test_ours_are_mitmproxy_s_masters_with_all_their_addons() -> None:
    ours, theirs = masters.Dump(Options()), masters.DumpMaster(Options())
    assert isinstance(ours.addons, IndexedAddonManager)
    assert set(ours.addons.lookup) == set(theirs.addons.lookup)
    await ours.done()
    await theirs.done()
