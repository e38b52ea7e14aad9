"""The report: one page that shows what the other steps have measured."""
