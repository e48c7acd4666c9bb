#ifndef KERNEL_ABI_H
#define KERNEL_ABI_H
#endif
