"""The vocabulary of microstax: what there is, and nothing about how it runs. PURE: no I/O, no clock, no grpc."""
