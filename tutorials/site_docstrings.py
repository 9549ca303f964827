"""Docstrings as the site's Markdown wants them: an Example is code, and [L_g f](x) is a formula, not a link."""

import re

import griffe


class Docstrings(griffe.Extension):
    """Changes the text of each docstring before it is parsed."""

    def on_instance(self, *, obj, **_):
        if obj.docstring:
            text = re.sub(r"^(\s*)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
            lines = text.split("\n")
            code = re.compile(r"\s*(>>>|\.\.\.)")
            obj.docstring.value = "\n".join(x if code.match(x) else x.replace("](", r"]\(") for x in lines)
