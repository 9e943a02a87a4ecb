"""TLS, whose memory lies outside the heap on a device, is left out."""

PROTOCOL_TLS_CLIENT, CERT_REQUIRED = 0, 2
