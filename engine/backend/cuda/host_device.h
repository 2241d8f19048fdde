// Functions of kernels that are compiled for the host too, where tests compare them with what they stand for.
#pragma once

#ifdef __CUDACC__
#define PREAMBLE_HOST_AND_DEVICE __host__ __device__
#else
#define PREAMBLE_HOST_AND_DEVICE
#endif
