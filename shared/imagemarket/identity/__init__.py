"""Accounts, sign-in, and the tokens that prove who calls."""
