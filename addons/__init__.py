"""The mitmproxy side. What of it needs no mitmproxy can be imported without it: the list of addons is in `chain`."""
