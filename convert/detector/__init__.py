"""The face detector: trained from YuNet's weights, measured, and made a bundle of the daemon's."""
