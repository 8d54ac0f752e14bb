"""Search pages for accessibility problems with axe-core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.e2e.node import MODULES

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = MODULES / "axe-core/axe.min.js"

VIOLATIONS = """async () => (await axe.run()).violations.map(({ id, nodes }) =>
  [id, ...nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)])"""


def load_axe(page: Page) -> None:
    """Run axe-core's script in the page. The page's Content-Security-Policy may block it."""
    page.evaluate(AXE.read_text(encoding="utf-8"))


def find_violations(page: Page) -> list[Any]:
    """Return the violations that axe-core finds in light and in dark colours."""
    violations: list[Any] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        violations += page.evaluate(VIOLATIONS)
    return violations
