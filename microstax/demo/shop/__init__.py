"""Six small services and the second version of one of them. `python -m microstax.demo.shop catalog` runs one."""
