SRC_USERMOD += $(USERMOD_DIR)/clock.c
# Tables for exceptions of C++, which the port's linker script has no place for.
LDFLAGS_USERMOD += -Wl,--orphan-handling=discard
