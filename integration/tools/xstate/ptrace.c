/*
 * User Mode Linux 6.1 gives the host back as many bytes of a process's extended
 * registers as its own structure has, and Linux refuses any other number than
 * the processor's own: on processors with more of them (AMX: 11 KB) no guest
 * starts ("ptrace set fp regs failed, errno = 14"). Loaded before the C library,
 * this puts what the guest gives in front of what the process has. Without headers,
 * so that the smallest compiler builds it.
 */
enum { PTRACE_GETREGSET = 0x4204, PTRACE_SETREGSET = 0x4205, NT_X86_XSTATE = 0x202 };

struct iovec {
	unsigned char *base;
	unsigned long length;
};

typedef long (*ptrace_t)(int, int, void *, void *);

extern void *dlsym(void *, const char *);

static ptrace_t next;

long ptrace(int request, int pid, void *address, void *data)
{
	static unsigned char registers[1 << 16]; /* the guest's kernel is one thread */
	struct iovec *given = data, all = {registers, sizeof registers};
	unsigned long i;

	if (!next)
		next = (ptrace_t)dlsym((void *)-1L, "ptrace"); /* RTLD_NEXT */
	if (request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE ||
	    next(PTRACE_GETREGSET, pid, address, &all) || all.length <= given->length)
		return next(request, pid, address, data);
	for (i = 0; i < given->length; i++)
		registers[i] = given->base[i];
	return next(request, pid, address, &all);
}
