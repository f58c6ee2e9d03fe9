"""What a browser would fetch to show a page: a helper of the tests of reports."""

import re


def external_requests(page: str) -> list[str]:
    """List the addresses that a browser would fetch to show a page; links to click on are none."""
    tags = r"<(?:script|img|iframe|source|video|audio|embed|link|object)\b[^>]*?(?:src|href|data)\s*=\s*[\"']?"
    code = r"url\(\s*[\"']?|(?:import|from|fetch\()\s*[\"']"
    return re.findall(rf"(?:{tags}|{code})((?:https?:)?//[^\"')>\s]+)", page)
