from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
from rest_framework_simplejwt.views import (
    TokenBlacklistView,
    TokenObtainPairView,
    TokenObtainSlidingView,
    TokenRefreshSlidingView,
    TokenRefreshView,
    TokenVerifyView,
)


class HelloView(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"message": f"Hello, {request.user.username}!"})


class StatelessView(HelloView):
    authentication_classes = (JWTStatelessUserAuthentication,)


urlpatterns = [
    path("hello/", HelloView.as_view()),
    path("stateless/", StatelessView.as_view()),
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("api/token/verify/", TokenVerifyView.as_view()),
    path("api/token/blacklist/", TokenBlacklistView.as_view()),
    path("api/sliding/", TokenObtainSlidingView.as_view()),
    path("api/sliding/refresh/", TokenRefreshSlidingView.as_view()),
    path("rest-auth/", include("dj_rest_auth.urls")),
    path("rest-auth/registration/", include("dj_rest_auth.registration.urls")),
    path("djoser/", include("djoser.urls")),
    path("djoser/", include("djoser.urls.jwt")),
    path("schema/", SpectacularAPIView.as_view()),
]
