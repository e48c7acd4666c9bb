print("opsd: not built yet")
