"""Privacy: heads are covered before a picture leaves the device, is shown or kept."""
