/* Runs a SavedModel through TensorFlow's C library.
   load_saved_model DIRECTORY INPUT_OPERATION OUTPUT_OPERATION FILE DIMENSION...
   FILE holds the float32 input of those dimensions; the float32 output goes to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include "tensorflow/c/c_api.h"

static void check(TF_Status *status) {
  if (TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s\n", TF_Message(status));
  exit(1);
}

int main(int argc, char **argv) {
  int64_t shape[8], elements = 1;
  int rank = argc - 5;
  if (rank < 1 || rank > 8) return 2;
  for (int i = 0; i < rank; i++) elements *= shape[i] = atoll(argv[5 + i]);

  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status);

  TF_Output input = {TF_GraphOperationByName(graph, argv[2]), 0};
  TF_Output output = {TF_GraphOperationByName(graph, argv[3]), 0};
  if (!input.oper || !output.oper) return 3;
  TF_Tensor *x = TF_AllocateTensor(TF_FLOAT, shape, rank, elements * sizeof(float)), *y = NULL;
  FILE *file = fopen(argv[4], "rb");
  if (!file || fread(TF_TensorData(x), sizeof(float), elements, file) != (size_t)elements) return 4;
  TF_SessionRun(session, NULL, &input, &x, 1, &output, &y, 1, NULL, 0, NULL, status);
  check(status);
  fwrite(TF_TensorData(y), 1, TF_TensorByteSize(y), stdout);
  return 0;
}
