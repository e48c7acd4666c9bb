print("opsctl: not built yet")
