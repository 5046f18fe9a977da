"""Documents, their fields and pages, and the audit trail of every change."""
