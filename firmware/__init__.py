"""What runs on the devices, and the host-side toolkit that puts it there."""
