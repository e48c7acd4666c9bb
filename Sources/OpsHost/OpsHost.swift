// OpsHost
