package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/common/api"
	"go.temporal.io/server/common/authorization"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Who calls is what its certificate says: the organizational unit (OU) is the role, the common name (CN) the name.
const (
	roleAPI      = "api"      // vclab-api, for the people who are signed in there
	roleWorker   = "worker"   // vclab-worker that runs workflows
	roleSite     = "site"     // vclab-worker with the role "site" only; its CN is the site
	roleUI       = "ui"       // the web UI, for the operator whom the API names
	roleOperator = "operator" // a person with Temporal's command line, and vclab's own tools on the management node
)

// actsFor is the header by which the API tells the UI, and the UI this server, which operator asks.
const actsFor = "vclab-operator"

// Methods that anybody with a certificate may call: they tell nothing of any workflow.
var anybody = []string{"GetSystemInfo", "GetClusterInfo", "DescribeNamespace"}

// What a worker of activities calls.
var polling = []string{"PollActivityTaskQueue", "RecordActivityTaskHeartbeat", "RespondActivityTaskCompleted",
	"RespondActivityTaskFailed", "RespondActivityTaskCanceled", "ShutdownWorker", "RecordWorkerHeartbeat"}

// And one of workflows. It begins what lost its workflow, keeps search attributes and schedules, and deletes the
// histories of who is forgotten. It does not signal, update or terminate; what workflows do to each other comes with
// their tasks.
var running = []string{"PollWorkflowTaskQueue", "RespondWorkflowTaskCompleted", "RespondWorkflowTaskFailed",
	"RespondQueryTaskCompleted", "GetWorkflowExecutionHistory", "StartWorkflowExecution", "DescribeWorkflowExecution",
	"ListWorkflowExecutions", "CreateSchedule", "DescribeSchedule", "UpdateSchedule",
	"ListSearchAttributes", "AddSearchAttributes", "DeleteWorkflowExecution"}

// Acts are updates and starts, some of which are waited for (history), and one of which is hung up (cancel). An endpoint
// is asked by an activity without a workflow, at its site, where its password can be opened. No signal:
// that is how operators speak to a workflow past the API, and it would be nobody's.
var acting = []string{"StartWorkflowExecution", "UpdateWorkflowExecution", "PollWorkflowExecutionUpdate",
	"ExecuteMultiOperation", "QueryWorkflow", "DescribeWorkflowExecution", "GetWorkflowExecutionHistory",
	"RequestCancelWorkflowExecution", "ListWorkflowExecutions", "CountWorkflowExecutions", "DescribeTaskQueue",
	"DescribeSchedule", "ListSearchAttributes", "StartActivityExecution", "PollActivityExecution"}

// What only workers do: whoever answers their tasks decides what workflows believe.
var workersOwn = []string{"Poll", "Respond", "RecordActivityTaskHeartbeat", "RecordWorkerHeartbeat", "ShutdownWorker"}

// claimMapper reads role and name out of the client's certificate, which TLS has verified.
type claimMapper struct{}

func (claimMapper) GetClaims(info *authorization.AuthInfo) (*authorization.Claims, error) {
	if info.TLSSubject == nil {
		return nil, fmt.Errorf("there is no client certificate")
	}
	units, name := info.TLSSubject.OrganizationalUnit, info.TLSSubject.CommonName
	roles := []string{roleAPI, roleWorker, roleSite, roleUI, roleOperator}
	if len(units) != 1 || !slices.Contains(roles, units[0]) || name == "" {
		return nil, fmt.Errorf("a client certificate of %q has the role (OU) %q", name, units)
	}
	return &authorization.Claims{AuthType: units[0], Subject: name}, nil
}

// authorizer decides by role and method. It answers with a principal, which the server writes into each event.
type authorizer struct{}

func (authorizer) Authorize(
	ctx context.Context, caller *authorization.Claims, target *authorization.CallTarget,
) (authorization.Result, error) {
	if authorization.IsHealthCheckAPI(target.APIName) {
		return authorization.Result{Decision: authorization.DecisionAllow}, nil
	}
	if caller == nil {
		return deny("a client certificate is needed"), nil
	}
	name := caller.Subject
	if caller.AuthType == roleUI {
		if name = operatorOf(ctx); name == "" {
			return deny("the UI is for operators, behind the login of vclab's API"), nil
		}
	}
	if reason := whyNot(caller, target); reason != "" {
		return deny(reason), nil
	}
	principal := &common.Principal{Type: caller.AuthType, Name: name}
	return authorization.Result{Decision: authorization.DecisionAllow, Principal: principal}, nil
}

func deny(reason string) authorization.Result {
	return authorization.Result{Decision: authorization.DecisionDeny, Reason: reason}
}

// operatorOf is whom the UI acts for.
func operatorOf(ctx context.Context) string {
	incoming, _ := metadata.FromIncomingContext(ctx)
	if said := incoming.Get(actsFor); len(said) == 1 {
		return said[0]
	}
	return ""
}

// whyNot is why a caller may not do that; empty if it may.
func whyNot(caller *authorization.Claims, target *authorization.CallTarget) string {
	service, method := api.ServiceName(target.APIName), api.MethodName(target.APIName)
	if caller.AuthType == authorization.InternalPrincipalType { // the server's own workers, by their own entrance
		return ""
	}
	if service != api.WorkflowServicePrefix && service != api.OperatorServicePrefix {
		return "this service is for nobody"
	}
	if slices.Contains(anybody, method) {
		return ""
	}
	var may []string
	switch caller.AuthType {
	case roleAPI:
		may = acting
	case roleWorker:
		may = slices.Concat(polling, running)
	case roleSite:
		if poll, is := target.Request.(*workflowservice.PollActivityTaskQueueRequest); is {
			return whyNotQueue(caller.Subject, poll.GetTaskQueue().GetName())
		}
		may = polling
	case roleUI, roleOperator:
		return whyNotOperator(method, target.Request)
	}
	if slices.Contains(may, method) {
		return ""
	}
	return fmt.Sprintf("a certificate of the role %s does not allow %s", caller.AuthType, method)
}

// whyNotQueue keeps the work, and so the passwords, of a site from the workers of others.
func whyNotQueue(site, queue string) string {
	if queue == "site-"+site || queue == "site-"+site+"-long" || queue == "looks-"+site {
		return ""
	}
	return fmt.Sprintf("a worker of site %s does not poll %s", site, queue)
}

func whyNotOperator(method string, request any) string {
	if slices.ContainsFunc(workersOwn, func(own string) bool { return strings.HasPrefix(method, own) }) &&
		!strings.HasPrefix(method, "PollWorkflowExecution") { // which waits for an answer
		return method + " is for workers"
	}
	if batch, is := request.(*workflowservice.StartBatchOperationRequest); is && batch.GetSignalOperation() != nil {
		return "signals of a batch would be nobody's; send them one by one"
	}
	return ""
}

// stamp makes a client's own word of who it is ("identity") what its certificate says. A worker's stays: it tells
// processes apart, and decides nothing.
func stamp(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	claims, _ := ctx.Value(authorization.MappedClaims).(*authorization.Claims)
	message, is := request.(proto.Message)
	if is && claims != nil && slices.Contains([]string{roleAPI, roleUI, roleOperator}, claims.AuthType) {
		name := claims.Subject
		if claims.AuthType == roleUI {
			name = operatorOf(ctx)
		}
		sign(message.ProtoReflect(), claims.AuthType+":"+name)
	}
	return handler(ctx, request)
}

func sign(message protoreflect.Message, identity string) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() != nil && field.IsList() && field.Name() == "operations" { // of ExecuteMultiOperation
			for n := range value.List().Len() {
				sign(value.List().Get(n).Message(), identity)
			}
		} else if field.Message() != nil && !field.IsList() && !field.IsMap() &&
			slices.Contains([]protoreflect.Name{"start_workflow", "update_workflow"}, field.Name()) {
			sign(value.Message(), identity)
		}
		return true
	})
	field := message.Descriptor().Fields().ByName("identity")
	if field != nil && field.Kind() == protoreflect.StringKind {
		message.Set(field, protoreflect.ValueOfString(identity))
	}
}
