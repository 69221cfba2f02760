"""Signing in by OpenID Connect: the authorization code flow with PKCE, and accounts made of what a provider says."""
