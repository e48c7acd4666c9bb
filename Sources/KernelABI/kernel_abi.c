#include "KernelABI.h"
