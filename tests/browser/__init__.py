"""Tests of the published pages in a browser: Debian's Chromium, driven by Playwright, without a network."""
