"""Scripts of mitmproxy that the proxies under test are started with."""
