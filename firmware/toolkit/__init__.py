"""The host side of the firmware: flash, provision, bundle."""
