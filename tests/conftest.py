"""Settings of all tests."""

from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)  # machines are noisy: a slow example is no failure
settings.load_profile("no_deadline")
