"""Files damaged before they land: refused, quarantined, or accepted with other rows."""
