"""The certificate authority that lets the proxy answer for the provider's hosts, and for no other."""
