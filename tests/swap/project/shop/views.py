from django.contrib.auth.models import User
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
from rest_framework_simplejwt.tokens import RefreshToken


class HelloView(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"message": f"Hello, {request.user.username}!", "id": request.user.pk})


class StatelessView(APIView):
    authentication_classes = (JWTStatelessUserAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        claims = request.auth
        return Response(
            {"id": str(request.user.id), "name": claims["name"], "roles": claims["roles"]}
        )


class RegisterView(APIView):
    permission_classes = (AllowAny,)

    def post(self, request):
        user = User.objects.create_user(request.data["username"], password=request.data["password"])
        refresh = RefreshToken.for_user(user)
        refresh["name"] = user.username
        refresh["roles"] = ["customer"]
        return Response({"refresh": str(refresh), "access": str(refresh.access_token)})
