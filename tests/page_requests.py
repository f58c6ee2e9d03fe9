"""What a browser would fetch to show a page: a helper of the tests of reports."""

import re


def external_requests(page: str) -> list[str]:
    """List the addresses that a browser would fetch to show a page; links to click on are none."""
    tags = re.findall(r"<(?:script|img|iframe|source|video|audio|embed|link|object)\b[^>]*>", page, re.IGNORECASE)
    in_tags = [
        url for tag in tags for url in re.findall(r"""(?:src|href|data)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)""", tag)
    ]
    in_scripts = re.findall(r"""(?:(?<!@)import|from|fetch\()\s*["']((?:https?:)?//[^"']+)""", page)
    return in_tags + in_scripts + re.findall(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')]+)""", page)
