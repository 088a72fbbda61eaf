/*-------------------------------------------------------------------------
 *
 * replay.c
 *	  A main() that runs a fuzz target over files, for compilers without
 *	  libFuzzer and for the test suite.
 *
 * replay FILE...
 *
 *-------------------------------------------------------------------------
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Run one file, in memory of exactly its size. */
static void
Replay(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	uint8_t    *data;
	long		size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
	{
		perror(path);
		exit(1);
	}
	rewind(file);
	data = malloc((size_t) size);
	if (size > 0 && (data == NULL || fread(data, 1, (size_t) size, file) != (size_t) size))
	{
		perror(path);
		exit(1);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t) size);
	free(data);
}

int
main(int argc, char **argv)
{
	int			i;

	if (argc < 2)
	{
		fprintf(stderr, "no inputs to replay\n");
		return 1;
	}
	for (i = 1; i < argc; i++)
		Replay(argv[i]);
	printf("%d inputs replayed\n", argc - 1);
	return 0;
}
