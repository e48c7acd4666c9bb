# One of every instruction, version 1 to 4 and the kernel's extensions, in LLVM's syntax.
r1 += r2
r3 += 0x11
r3 += -0x11
r1 -= r2
r3 -= 0x11
r3 -= -0x11
r1 *= r2
r3 *= 0x11
r3 *= -0x11
r1 /= r2
r3 /= 0x11
r3 /= -0x11
r1 |= r2
r3 |= 0x11
r3 |= -0x11
r1 &= r2
r3 &= 0x11
r3 &= -0x11
r1 <<= r2
r3 <<= 0x11
r1 >>= r2
r3 >>= 0x11
r1 %= r2
r3 %= 0x11
r3 %= -0x11
r1 ^= r2
r3 ^= 0x11
r3 ^= -0x11
r1 = r2
r3 = 0x11
r3 = -0x11
r1 s>>= r2
r3 s>>= 0x11
r1 s/= r2
r3 s/= 0x11
r3 s/= -0x11
r1 s%= r2
r3 s%= 0x11
r3 s%= -0x11
r4 = -r4
r1 = (s8)r2
r1 = (s16)r2
r1 = (s32)r2
w1 += w2
w3 += 0x11
w1 -= w2
w3 -= 0x11
w1 *= w2
w3 *= 0x11
w1 /= w2
w3 /= 0x11
w1 |= w2
w3 |= 0x11
w1 &= w2
w3 &= 0x11
w1 <<= w2
w3 <<= 0x11
w1 >>= w2
w3 >>= 0x11
w1 %= w2
w3 %= 0x11
w1 ^= w2
w3 ^= 0x11
w1 = w2
w3 = 0x11
w1 s>>= w2
w3 s>>= 0x11
w1 s/= w2
w3 s/= 0x11
w1 s%= w2
w3 s%= 0x11
w4 = -w4
w1 = (s8)w2
w1 = (s16)w2
r5 = le16 r5
r5 = be16 r5
r5 = bswap16 r5
r5 = le32 r5
r5 = be32 r5
r5 = bswap32 r5
r5 = le64 r5
r5 = be64 r5
r5 = bswap64 r5
r1 = addr_space_cast(r2, 0, 1)
r1 = addr_space_cast(r2, 1, 0)
r1 = 0x123456789abcdef0 ll
r2 = -1 ll
r2 = 0 ll
r3 = 0xffffffff ll
w1 = *(u8 *)(r2 + 4)
w1 = *(u8 *)(r10 - 8)
*(u8 *)(r1 + 2) = w2
*(u8 *)(r1 - 32768) = w9
*(u8 *)(r1 + 32767) = 77
*(u8 *)(r1 - 2) = -77
w1 = load_acquire((u8 *)(r2 + 16))
store_release((u8 *)(r2 - 16), w1)
w1 = *(u16 *)(r2 + 4)
w1 = *(u16 *)(r10 - 8)
*(u16 *)(r1 + 2) = w2
*(u16 *)(r1 - 32768) = w9
*(u16 *)(r1 + 32767) = 77
*(u16 *)(r1 - 2) = -77
w1 = load_acquire((u16 *)(r2 + 16))
store_release((u16 *)(r2 - 16), w1)
w1 = *(u32 *)(r2 + 4)
w1 = *(u32 *)(r10 - 8)
*(u32 *)(r1 + 2) = w2
*(u32 *)(r1 - 32768) = w9
*(u32 *)(r1 + 32767) = 77
*(u32 *)(r1 - 2) = -77
w1 = load_acquire((u32 *)(r2 + 16))
store_release((u32 *)(r2 - 16), w1)
r1 = *(u64 *)(r2 + 4)
r1 = *(u64 *)(r10 - 8)
*(u64 *)(r1 + 2) = r2
*(u64 *)(r1 - 32768) = r9
*(u64 *)(r1 + 32767) = 77
*(u64 *)(r1 - 2) = -77
r1 = load_acquire((u64 *)(r2 + 16))
store_release((u64 *)(r2 - 16), r1)
r1 = *(s8 *)(r2 - 4)
r1 = *(s16 *)(r2 - 4)
r1 = *(s32 *)(r2 - 4)
lock *(u32 *)(r1 + 8) += w2
lock *(u32 *)(r1 + 8) |= w2
lock *(u32 *)(r1 + 8) &= w2
lock *(u32 *)(r1 + 8) ^= w2
w2 = atomic_fetch_add((u32 *)(r1 - 8), w2)
w2 = atomic_fetch_or((u32 *)(r1 - 8), w2)
w2 = atomic_fetch_and((u32 *)(r1 - 8), w2)
w2 = atomic_fetch_xor((u32 *)(r1 - 8), w2)
lock *(u64 *)(r1 + 8) += r2
lock *(u64 *)(r1 + 8) |= r2
lock *(u64 *)(r1 + 8) &= r2
lock *(u64 *)(r1 + 8) ^= r2
r2 = atomic_fetch_add((u64 *)(r1 - 8), r2)
r2 = atomic_fetch_or((u64 *)(r1 - 8), r2)
r2 = atomic_fetch_and((u64 *)(r1 - 8), r2)
r2 = atomic_fetch_xor((u64 *)(r1 - 8), r2)
r2 = xchg_64(r1 + 0, r2)
w2 = xchg32_32(r1 - 4, w2)
r0 = cmpxchg_64(r1 + 0, r0, r2)
w0 = cmpxchg32_32(r1 + 4, w0, w2)
if r1 == r2 goto +1
if r1 == -8 goto -9
if r1 == 8 goto +1000
if r1 > r2 goto +1
if r1 > -8 goto -9
if r1 > 8 goto +1000
if r1 >= r2 goto +1
if r1 >= -8 goto -9
if r1 >= 8 goto +1000
if r1 & r2 goto +1
if r1 & -8 goto -9
if r1 & 8 goto +1000
if r1 != r2 goto +1
if r1 != -8 goto -9
if r1 != 8 goto +1000
if r1 s> r2 goto +1
if r1 s> -8 goto -9
if r1 s> 8 goto +1000
if r1 s>= r2 goto +1
if r1 s>= -8 goto -9
if r1 s>= 8 goto +1000
if r1 < r2 goto +1
if r1 < -8 goto -9
if r1 < 8 goto +1000
if r1 <= r2 goto +1
if r1 <= -8 goto -9
if r1 <= 8 goto +1000
if r1 s< r2 goto +1
if r1 s< -8 goto -9
if r1 s< 8 goto +1000
if r1 s<= r2 goto +1
if r1 s<= -8 goto -9
if r1 s<= 8 goto +1000
if w1 == w2 goto +1
if w1 == -8 goto -9
if w1 == 8 goto +1000
if w1 > w2 goto +1
if w1 > -8 goto -9
if w1 > 8 goto +1000
if w1 >= w2 goto +1
if w1 >= -8 goto -9
if w1 >= 8 goto +1000
if w1 & w2 goto +1
if w1 & -8 goto -9
if w1 & 8 goto +1000
if w1 != w2 goto +1
if w1 != -8 goto -9
if w1 != 8 goto +1000
if w1 s> w2 goto +1
if w1 s> -8 goto -9
if w1 s> 8 goto +1000
if w1 s>= w2 goto +1
if w1 s>= -8 goto -9
if w1 s>= 8 goto +1000
if w1 < w2 goto +1
if w1 < -8 goto -9
if w1 < 8 goto +1000
if w1 <= w2 goto +1
if w1 <= -8 goto -9
if w1 <= 8 goto +1000
if w1 s< w2 goto +1
if w1 s< -8 goto -9
if w1 s< 8 goto +1000
if w1 s<= w2 goto +1
if w1 s<= -8 goto -9
if w1 s<= 8 goto +1000
goto +3
goto -3
gotol -7
gotol +30000
may_goto +2
may_goto -2
call 14
call -1
callx r3
r0 = *(u8 *)skb[12]
r0 = *(u8 *)skb[r4]
r0 = *(u16 *)skb[12]
r0 = *(u16 *)skb[r4]
r0 = *(u32 *)skb[12]
r0 = *(u32 *)skb[r4]
exit
