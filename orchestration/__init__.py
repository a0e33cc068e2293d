"""Journeyline: one customer journey out of CRM, e-mail, app and support data."""
